"""Edge: the only importers of upstash_redis and supabase."""
