package dev.hadal.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** The curves and the table of a history. */
class CurvesPageTest {

    private static Epoch epoch(int number, Object... namesAndValues) {
        Map<String, Double> values = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            values.put((String) namesAndValues[i], ((Number) namesAndValues[i + 1]).doubleValue());
        }
        return new Epoch(number, 9, true, values);
    }

    private static List<Epoch> history(int epochs) {
        List<Epoch> history = new ArrayList<>();
        for (int e = 1; e <= epochs; e++) {
            history.add(epoch(
                    e,
                    "loss",
                    2.0 / e,
                    "accuracy",
                    1 - 0.9 / e,
                    "val_loss",
                    2.1 / e + 0.02 * e,
                    "val_accuracy",
                    1 - 0.95 / e,
                    "rate",
                    1e-3 * Math.cos(0.1 * e),
                    "gradient_norm",
                    1 + 5.0 / e,
                    "samples_per_second",
                    12000 + 10 * e));
        }
        return history;
    }

    private static Document parsed(String page) throws Exception {
        return DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(page)));
    }

    private static List<Element> all(Element root, String tag, String style) {
        NodeList nodes = root.getElementsByTagName(tag);
        List<Element> found = new ArrayList<>();
        for (int i = 0; i < nodes.getLength(); i++) {
            Element element = (Element) nodes.item(i);
            if (element.getAttribute("class").equals(style)) {
                found.add(element);
            }
        }
        return found;
    }

    private static List<Element> charts(String page) throws Exception {
        return elements(parsed(page).getDocumentElement(), "svg");
    }

    private static List<Element> elements(Element root, String tag) {
        return all(root, tag, "");
    }

    @Test
    void eachNumberHasItsChartAndValidationIsBesideTraining() throws Exception {
        List<Element> charts = charts(CurvesPage.html(history(12)));
        assertEquals(
                List.of("loss", "accuracy", "rate", "gradient norm", "samples per second"),
                charts.stream().map(c -> c.getAttribute("aria-label")).toList());
        Element loss = charts.get(0);
        assertEquals(1, all(loss, "path", "curve training").size());
        assertEquals(1, all(loss, "path", "curve validation").size());
        assertEquals(12, all(loss, "circle", "dot training").size());
        assertEquals(0, all(charts.get(2), "path", "curve validation").size());
        assertEquals(12, all(loss, "rect", "hit").size());
        assertEquals(
                "epoch 4: training 0.5000, validation 0.6050",
                all(loss, "rect", "hit").get(3).getAttribute("data-text"));
    }

    /** Where the dots lie is checked against the marks of the axes, which say what lies where. */
    @Test
    void dotsLieWhereTheAxesSay() throws Exception {
        Element loss = charts(CurvesPage.html(history(12))).get(0);
        List<Element> dots = all(loss, "circle", "dot training");
        Map<String, Double> marks = new LinkedHashMap<>();
        for (Element mark : all(loss, "text", "mark")) {
            if (mark.getAttribute("text-anchor").equals("end")) {
                marks.put(mark.getTextContent(), Double.parseDouble(mark.getAttribute("y")) - 4);
            }
        }
        assertEquals(List.of("0.5", "1.0", "1.5", "2.0"), List.copyOf(marks.keySet()));
        assertEquals(
                Objects.requireNonNull(marks.get("2.0")),
                Double.parseDouble(dots.get(0).getAttribute("cy")),
                0.11);
        assertEquals(
                Objects.requireNonNull(marks.get("1.0")),
                Double.parseDouble(dots.get(1).getAttribute("cy")),
                0.11);
        assertEquals(
                Objects.requireNonNull(marks.get("0.5")),
                Double.parseDouble(dots.get(3).getAttribute("cy")),
                0.11);
    }

    @Test
    void whatIsNotFiniteInterruptsTheLine() throws Exception {
        List<Epoch> history = List.of(
                epoch(1, "loss", 1),
                epoch(2, "loss", 2),
                epoch(3, "loss", Double.NaN),
                epoch(4, "loss", Double.POSITIVE_INFINITY),
                epoch(5, "loss", 1));
        Element chart = charts(CurvesPage.html(history)).get(0);
        String path = all(chart, "path", "curve training").get(0).getAttribute("d");
        assertEquals("M L M ", path.replaceAll("[0-9. ]+", " "));
        assertEquals("epoch 3: training –", all(chart, "rect", "hit").get(2).getAttribute("data-text"));
        // Nothing but NaN, one epoch, and numbers that are all alike.
        charts(CurvesPage.html(List.of(epoch(1, "loss", Double.NaN))));
        charts(CurvesPage.html(List.of(epoch(7, "loss", 0), epoch(8, "loss", 0))));
    }

    @Test
    void aPageNeedsNothingElseAndNamesAreHarmless() throws Exception {
        String page = CurvesPage.html(List.of(epoch(1, "<script>\"&", 1)));
        assertEquals("<script>\"&", charts(page).get(0).getAttribute("aria-label"));
        assertFalse(page.contains("http"), page);
        assertFalse(page.contains("src="), page);
        assertTrue(page.contains("prefers-color-scheme: dark"));
        // Of many epochs the dots would only hide the line.
        assertEquals(
                0,
                all(charts(CurvesPage.html(history(200))).get(0), "circle", "dot training")
                        .size());
    }

    @Test
    void axesAreMarkedWithRoundNumbers() {
        assertEquals(List.of("0", "0.2", "0.4", "0.6", "0.8", "1.0"), labels(Axis.over(0, 1, 5)));
        assertEquals(List.of("10", "15", "20", "25"), labels(Axis.over(9, 27, 5)));
        assertEquals(List.of("-0.02", "0", "0.02"), labels(Axis.over(-0.03, 0.03, 4)));
        assertEquals(List.of("2e-05", "4e-05", "6e-05", "8e-05", "1.0e-04"), labels(Axis.over(1.3e-5, 1e-4, 5)));
        assertEquals(List.of("1e+06", "2e+06", "3e+06"), labels(Axis.over(1e6, 3e6, 3)));
        assertEquals(
                1, labels(Axis.over(5, 5, 5)).stream().filter("5.0"::equals).count());
        assertTrue(Axis.over(0, 0, 5).place(0) == 0.5);
    }

    private static List<String> labels(Axis axis) {
        return axis.marks().stream().map(axis::label).toList();
    }

    @Test
    void theTableHasAColumnForEachNumber() {
        List<Epoch> history =
                List.of(epoch(1, "loss", 0.5, "val_f1, \"macro\"", 1), epoch(2, "loss", Double.NaN, "rate", 1e-3));
        assertEquals(
                "epoch,loss,\"val_f1, \"\"macro\"\"\",rate\r\n1,0.5,1.0,\r\n2,NaN,,0.001\r\n",
                HistoryFile.csv(history));
    }
}
