"""Several likesd on one real PostgreSQL and one real Redis, while any part fails at any moment."""
