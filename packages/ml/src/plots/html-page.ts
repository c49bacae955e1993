import { escapeText } from "./svg.ts";

/** What stands on a page. */
export interface HtmlPageOptions {
  readonly title: string;
  /** One paragraph under the title. */
  readonly lead?: string;
  /** SVG documents, as the plots of this package give them: they are put in as they are, so never text of others. */
  readonly figures: readonly string[];
}

/**
 * A page that shows figures and needs nothing else: no network, no script, light or dark as the reader's system is.
 *
 * @returns an HTML document
 */
export function htmlPage(options: HtmlPageOptions): string {
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeText(options.title)}</title>`,
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    "<main>",
    `<h1>${escapeText(options.title)}</h1>`,
    ...(options.lead === undefined ? [] : [`<p>${escapeText(options.lead)}</p>`]),
    ...options.figures.map((figure) => `<figure>\n${figure}</figure>`),
    "</main>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

const STYLE = [
  ":root{color-scheme:light dark}",
  "body{margin:0;background:#f3f5f8;color:#16202b;font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;line-height:1.5}",
  "main{max-width:60rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}",
  "h1{font-size:1.5rem;margin:0 0 .25rem}",
  "p{margin:0 0 1.5rem;color:#5b6876}",
  "figure{margin:0 0 1.5rem;overflow-x:auto}",
  "figure svg{max-width:100%;height:auto;display:block;border-radius:10px;box-shadow:0 1px 3px rgb(16 32 43/.12)}",
  "@media (prefers-color-scheme:dark){body{background:#0c1014;color:#e9eef3}p{color:#9aa7b4}}",
].join("");
