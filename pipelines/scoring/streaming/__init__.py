"""Scoring of messages as they come: what a message holds, topics of Kafka, and a query that runs until stopped."""
