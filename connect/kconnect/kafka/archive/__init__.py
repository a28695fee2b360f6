"""Topics in a folder: exported from a log or an Apache Kafka, imported into another.

    manifest.json                        topics, configs, partitions, and what groups have committed
    <topic>-<partition>/<offset>.log     v2 record batches as the broker keeps them, one after another

The files are Kafka's segments: `kconnect broker dump` and `kafka-dump-log` read them. What is in them are committed
records with their offsets, timestamps, keys and headers, compressed as they were; producers, transactions and their
markers are left out. A record is encoded anew only where its batch cannot be taken as it is.
"""
