"""Link health (链路健康): readings to rates, states, percentiles, SLA and events.

Import from the modules: ``states``, ``views`` and ``tables`` need neither numpy nor pyarrow, so that ``yw link ls``
starts at once.
"""
