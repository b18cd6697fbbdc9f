"""Security operations (安全运营): parse -> ECS -> enrich -> Sigma -> correlate -> alert -> incident."""
