"""Reviews: what people write about a platform, read, de-duplicated, understood and summed up with its uncertainty."""
