package dev.hadal.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** All numbers of all epochs as curves, in one HTML page that needs nothing else, neither files nor a network. */
final class CurvesPage {
    private static final String STYLE = """
            :root { color-scheme: light dark; --back: #ffffff; --text: #24292f; --soft: #6a737d; --grid: #e4e7eb;
              --training: #1f66b0; --validation: #c2500a; }
            @media (prefers-color-scheme: dark) {
              :root { --back: #14171b; --text: #e3e6ea; --soft: #98a2ad; --grid: #2b3138;
                --training: #6cb0f0; --validation: #f5964e; } }
            body { background: var(--back); color: var(--text); font: 14px system-ui, sans-serif; margin: 24px; }
            h1 { font-size: 20px; font-weight: 600; margin: 0 0 4px; }
            p { color: var(--soft); margin: 0 0 20px; }
            main { display: grid; gap: 24px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
            svg { width: 100%; max-width: 760px; height: auto; }
            svg text { fill: var(--text); font-size: 12px; font-variant-numeric: tabular-nums; }
            svg text.title { font-size: 14px; font-weight: 600; }
            svg text.mark { fill: var(--soft); }
            .grid { stroke: var(--grid); }
            .axis { stroke: var(--soft); }
            .here { stroke: var(--soft); stroke-dasharray: 3 3; visibility: hidden; }
            .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
            .training { stroke: var(--training); }
            .validation { stroke: var(--validation); }
            .dot.training { fill: var(--training); }
            .dot.validation { fill: var(--validation); }
            .hit { fill: transparent; }
            """;

    /** It has neither less-than signs nor ampersands: the page is XML, too. */
    private static final String SCRIPT = """
            for (const hit of document.querySelectorAll('.hit')) {
              const line = hit.parentNode.querySelector('.here');
              const text = hit.parentNode.querySelector('.values');
              hit.addEventListener('mouseenter', () => {
                line.setAttribute('x1', hit.dataset.x);
                line.setAttribute('x2', hit.dataset.x);
                line.style.visibility = 'visible';
                text.textContent = hit.dataset.text;
              });
              hit.addEventListener('mouseleave', () => {
                line.style.visibility = 'hidden';
                text.textContent = '';
              });
            }
            """;

    private CurvesPage() {}

    /** The page; there is at least one epoch. */
    static String html(List<Epoch> history) {
        StringBuilder page = new StringBuilder(
                        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n")
                .append("<meta name=\"viewport\" content=\"width=device-width\"/>\n<title>Training curves</title>\n")
                .append("<style>\n" + STYLE + "</style>\n</head>\n<body>\n<h1>Training curves</h1>\n<p>")
                .append(Chart.escaped(history.get(history.size() - 1).toString()))
                .append("</p>\n<main>\n");
        charts(history).forEach((title, curves) -> page.append(new Chart(title, history, curves).svg()));
        return page.append("</main>\n<script>\n" + SCRIPT + "</script>\n</body>\n</html>\n")
                .toString();
    }

    /** By title; a number and the same of the validation data share a chart. */
    private static Map<String, List<Chart.Curve>> charts(List<Epoch> history) {
        Map<String, List<Chart.Curve>> charts = new LinkedHashMap<>();
        for (String name : HistoryFile.names(history)) {
            boolean validation = name.startsWith(Epoch.VALIDATION);
            String title = (validation ? name.substring(Epoch.VALIDATION.length()) : name).replace('_', ' ');
            String kind = validation ? "validation" : "training";
            charts.computeIfAbsent(title, t -> new ArrayList<>()).add(new Chart.Curve(name, kind, kind));
        }
        return charts;
    }
}
