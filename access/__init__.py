"""Who may and who did (访问控制): accounts, roles, organisation scope, sessions, tokens, audit log; CONTRACT §10.

GB/T 22239-2019 8.1.4.1 (identification), 8.1.4.2 (access control), 8.1.4.3 (audit), 8.1.5 (three administrators).
"""
