extension Page {
    static let style = #"""
        :root {
          --ink: #1c2024; --faint: #5d6670; --paper: #ffffff; --panel: #f4f6f8; --line: #d5dae0;
          --get: #0b6b4f; --post: #0b4fa8; --delete: #a8261b; --good: #0b6b4f; --bad: #a8261b;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ink: #e4e7ea; --faint: #9aa4ae; --paper: #15181b; --panel: #1f2428; --line: #39424a;
            --get: #5fd0a8; --post: #7fb6ff; --delete: #ff958a; --good: #5fd0a8; --bad: #ff958a;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0 auto; max-width: 56rem; padding: 1.5rem 1rem 4rem;
          color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif;
        }
        h1 { font-size: 1.6rem; margin: 0; }
        h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
        h3 { font-size: .9rem; margin: 1rem 0 .25rem; }
        header p { margin: .25rem 0; color: var(--faint); }
        a { color: var(--post); }
        code, pre, textarea, input { font-family: ui-monospace, monospace; font-size: .875rem; }
        details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; background: var(--panel); }
        summary { cursor: pointer; padding: .6rem .8rem; display: flex; gap: .75rem; flex-wrap: wrap; }
        summary:focus-visible, button:focus-visible, input:focus-visible, textarea:focus-visible {
          outline: 2px solid var(--post); outline-offset: 2px;
        }
        summary code { font-weight: 600; }
        summary span { color: var(--faint); }
        .method { min-width: 4.5rem; }
        .GET { color: var(--get); }
        .POST { color: var(--post); }
        .DELETE { color: var(--delete); }
        .body { padding: 0 .8rem .8rem; border-top: 1px solid var(--line); }
        label { display: block; margin: .5rem 0 .2rem; }
        input, textarea {
          width: 100%; padding: .4rem .5rem; color: var(--ink); background: var(--paper);
          border: 1px solid var(--line); border-radius: 4px;
        }
        textarea { min-height: 6rem; resize: vertical; }
        button {
          margin-top: .75rem; padding: .4rem 1.1rem; font: inherit; cursor: pointer; border-radius: 4px;
          border: 1px solid var(--post); color: var(--paper); background: var(--post);
        }
        button:disabled { opacity: .5; cursor: wait; }
        pre {
          margin: .25rem 0; padding: .6rem; overflow: auto; max-height: 24rem; background: var(--paper);
          border: 1px solid var(--line); border-radius: 4px;
        }
        table { border-collapse: collapse; width: 100%; }
        td { padding: .2rem .5rem .2rem 0; vertical-align: top; border-top: 1px solid var(--line); }
        td:first-child { width: 4rem; }
        .good { color: var(--good); }
        .bad { color: var(--bad); }

        """#
}
