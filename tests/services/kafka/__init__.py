"""The real Apache Kafka and Kafka Connect: their jars, a broker, a worker and the command line tools."""
