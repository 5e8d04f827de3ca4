import LikesCore
import Testing

@Test func placeholderGoesAwayToo() { #expect(Configuration().redis.database == 0) }
