"""The membership of a worker in its pool: Kafka's group protocol of type `connect`, and who is given what."""
