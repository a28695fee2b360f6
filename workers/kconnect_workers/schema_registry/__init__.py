"""A small schema registry for one machine: Confluent's paths, kept in a topic as Confluent's registry keeps them."""
