extension Page {
    static let html = #"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>likesd over HTTP</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="docs/page.css">
        <script src="docs/page.js" defer></script>
        </head>
        <body>
        <header>
        <h1>likesd over HTTP</h1>
        <p id="about"></p>
        <p>The same for programs: <a href="openapi.json">openapi.json</a></p>
        </header>
        <noscript><p>This page needs scripts to read <a href="openapi.json">openapi.json</a>.</p></noscript>
        <main id="operations" aria-live="polite"><p>Reading openapi.json …</p></main>
        </body>
        </html>

        """#
}
