"""What both ends of a secured connection need, clients and broker: key stores, TLS, JAAS entries, SCRAM.

Knows neither of them, nor anything else of kconnect.
"""
