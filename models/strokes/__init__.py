"""Networks that read drawings as they were drawn."""
