"""Cloud metering (云资源计量与结算): append-only usage ledger, price catalogue, exact rating, signed bills."""
