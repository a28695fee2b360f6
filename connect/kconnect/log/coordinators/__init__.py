"""Consumer groups and their committed offsets, transactional ids and the ends of their transactions."""
