extension Page {
    static let script = #"""
        "use strict";

        // An element with attributes and children. Text goes in as text, never as markup.
        function make(name, attributes, ...children) {
          const element = document.createElement(name);
          for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
          element.append(...children);
          return element;
        }

        // Backquotes surround what is written exactly so.
        function words(text) {
          return text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
        }

        function curl(method, url, body) {
          const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
          let command = "curl" + (method === "GET" ? "" : " -X " + method) + " " + quoted(url);
          if (body) command += " \\\n  -H 'Content-Type: application/json' \\\n  -d " + quoted(body);
          return command;
        }

        function shown(text, type) {
          if (!type.includes("json")) return text;
          try {
            // Numbers beyond 2^53 would be rounded: such an answer is shown as it came.
            return /\d{16}/.test(text) ? text : JSON.stringify(JSON.parse(text), null, 2);
          } catch {
            return text;
          }
        }

        function example(document, reference) {
          const schema = document.components.schemas[reference.split("/").pop()];
          return JSON.stringify(schema.examples ? schema.examples[0] : {}, null, 2);
        }

        // What a field holds at first.
        function value(parameter) {
          const schema = parameter.schema;
          if (parameter.required) return String(schema.default || (schema.examples || ["456"])[0]);
          return schema.default || "";
        }

        function panel(document, path, method, operation) {
          const fields = new Map();
          const form = make("form", { novalidate: "" });
          for (const parameter of operation.parameters || []) {
            const id = operation.operationId + "-" + parameter.name;
            const input = make("input", { id, name: parameter.name, value: value(parameter), autocomplete: "off" });
            fields.set(parameter, input);
            const name = make("code", {}, parameter.name);
            form.append(make("label", { for: id }, name, " ", ...words(parameter.description)), input);
          }
          let body = null;
          if (operation.requestBody) {
            const id = operation.operationId + "-body";
            body = make("textarea", { id, spellcheck: "false" });
            body.value = example(document, operation.requestBody.content["application/json"].schema.$ref);
            form.append(make("label", { for: id }, "Body"), body);
          }
          const button = make("button", { type: "submit" }, "Send");
          const answer = make("div");
          form.append(button);
          form.addEventListener("submit", async (event) => {
            event.preventDefault();
            const query = new URLSearchParams();
            let target = path;
            for (const [{ name, in: place }, input] of fields) {
              if (place === "path") target = target.replace("{" + name + "}", encodeURIComponent(input.value));
              else if (input.value !== "") query.set(name, input.value);
            }
            const url = new URL("." + target + (query.toString() ? "?" + query : ""), location.href).href;
            button.disabled = true;
            try {
              await send(answer, method, url, body && body.value);
            } finally {
              button.disabled = false;
            }
          });
          const responses = make("table");
          for (const [status, response] of Object.entries(operation.responses)) {
            const cell = make("td", {}, ...words(response.description));
            responses.append(make("tr", {}, make("td", {}, make("code", {}, status)), cell));
          }
          return make(
            "details", { id: operation.operationId },
            make(
              "summary", {}, make("code", { class: "method " + method }, method), make("code", {}, path),
              make("span", {}, operation.summary)),
            make(
              "div", { class: "body" }, make("p", {}, ...words(operation.description || "")), form, answer,
              make("h3", {}, "Answers"), responses));
        }

        async function send(answer, method, url, body) {
          const started = performance.now();
          const command = make("pre", {}, curl(method, url, body));
          try {
            const headers = body ? { "Content-Type": "application/json" } : {};
            const response = await fetch(url, { method, headers, body, cache: "no-store" });
            const text = await response.text();
            const ms = (performance.now() - started).toFixed(1);
            const retry = response.headers.get("Retry-After");
            const line = response.status + " " + response.statusText + ", " + ms + " ms"
              + (retry ? ", repeat after " + retry + " s" : "");
            answer.replaceChildren(
              make("h3", {}, "Request"), command,
              make("h3", { class: response.ok ? "good" : "bad", role: "status" }, line),
              make("pre", {}, shown(text, response.headers.get("Content-Type") || "")));
          } catch (problem) {
            answer.replaceChildren(
              make("h3", {}, "Request"), command, make("h3", { class: "bad", role: "alert" }, "No answer: " + problem));
          }
        }

        async function start() {
          const place = document.getElementById("operations");
          try {
            const response = await fetch("openapi.json");
            if (!response.ok) throw new Error("status " + response.status);
            const described = await response.json();
            const about = described.info.description + " Version " + described.info.version + ".";
            document.getElementById("about").append(about);
            const groups = described.tags.map((tag) => {
              const panels = Object.entries(described.paths).flatMap(([path, methods]) =>
                Object.entries(methods)
                  .filter(([, operation]) => operation.tags.includes(tag.name))
                  .map(([method, operation]) => panel(described, path, method.toUpperCase(), operation)));
              return make("section", {}, make("h2", {}, tag.description), ...panels);
            });
            place.replaceChildren(...groups);
          } catch (problem) {
            const text = "openapi.json cannot be read: " + problem;
            place.replaceChildren(make("p", { class: "bad", role: "alert" }, text));
          }
        }

        start();

        """#
}
