//! Principals, SASL mechanisms and TLS settings.
