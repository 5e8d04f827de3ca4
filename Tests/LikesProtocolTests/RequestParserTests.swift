import LikesProtocol
import Testing

@Test func placeholderGoesAway() { #expect(ItemTypes.standard.names.count == 3) }
