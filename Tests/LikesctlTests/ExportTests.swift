import LikesctlCommands
import Testing

@testable import likesctl

@Suite struct ExportTests {
    @Test("The likes of one item may be far between in all there are: PostgreSQL may take hours to find the first")
    func fewRowsAmongMany() {
        var options = DataOptions()
        #expect(Export.stallMs(options) == Database.copyStallMs)
        options.user = 5
        #expect(Export.stallMs(options) == Database.copyStallMs)
        options.item = "post:5"
        #expect(Export.stallMs(options) > 10 * 3_600 * 1_000)
    }
}
