package dev.hadal.cli;

import java.util.Map;

/** A page of one file, in light or dark as its reader likes, which needs nothing else. */
final class HtmlPage {
    private static final String STYLE = """
            :root { color-scheme: light dark; --back: #ffffff; --text: #24292f; --soft: #6a737d; --grid: #e4e7eb;
              --first: #1f66b0; --second: #c2500a; }
            @media (prefers-color-scheme: dark) {
              :root { --back: #14171b; --text: #e3e6ea; --soft: #98a2ad; --grid: #2b3138;
                --first: #6cb0f0; --second: #f5964e; } }
            body { background: var(--back); color: var(--text); font: 14px system-ui, sans-serif; margin: 24px; }
            h1 { font-size: 20px; font-weight: 600; margin: 0 0 12px; }
            dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; }
            dt, p { color: var(--soft); }
            dd { margin: 0; }
            main { display: grid; gap: 28px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
            table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0 0 24px; }
            th, td { padding: 3px 12px 3px 0; text-align: right; border-bottom: 1px solid var(--grid); }
            th:first-child, td:first-child { text-align: left; }
            th { color: var(--soft); font-weight: 400; }
            tr.chosen td { font-weight: 600; }
            svg { width: 100%; max-width: 760px; height: auto; }
            svg text { fill: var(--text); font-size: 12px; font-variant-numeric: tabular-nums; }
            svg text.title { font-size: 14px; font-weight: 600; }
            svg text.mark { fill: var(--soft); }
            .grid { stroke: var(--grid); }
            .first { fill: var(--first); }
            .second { fill: var(--second); }
            .whisker { stroke: var(--text); fill: none; }
            .limit { stroke: var(--text); stroke-dasharray: 3 2; }
            .key { display: inline-block; width: 12px; height: 12px; margin: 0 6px 0 12px; vertical-align: -1px; }
            .key.first { background: var(--first); }
            .key.second { background: var(--second); }
            .key.limit { width: 0; border-left: 2px dashed var(--text); }
            """;

    private HtmlPage() {}

    /**
     * The page.
     *
     * @param facts what a reader must know first, as plain text
     * @param body what follows, as HTML
     */
    static String of(String title, Map<String, String> facts, String body) {
        StringBuilder page = new StringBuilder(
                        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n")
                .append("<meta name=\"viewport\" content=\"width=device-width\"/>\n<title>")
                .append(escaped(title))
                .append("</title>\n<style>\n" + STYLE + "</style>\n</head>\n<body>\n<h1>")
                .append(escaped(title))
                .append("</h1>\n<dl>\n");
        facts.forEach((what, value) -> page.append("<dt>" + escaped(what) + "</dt><dd>" + escaped(value) + "</dd>\n"));
        return page.append("</dl>\n" + body + "</body>\n</html>\n").toString();
    }

    /** Text for elements or attributes. */
    static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
