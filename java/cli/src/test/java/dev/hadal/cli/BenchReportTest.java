package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.io.StringReader;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class BenchReportTest {
    private static final Ceilings CEILINGS = new Ceilings(200e9, 400e9, Map.of(1L << 28, 28e9), 1);
    /** 2·512³ operations take 1.34 ms at 200 GFLOP/s. */
    private static final BenchReport.Row GEMM = new BenchReport.Row(
            Workload.gemm(512, DType.F32), new Timing(1.6e-3, 1.5e-3, 1.7e-3), new Timing(3.2e-4, 3.1e-4, 3.3e-4));
    /** 28 MB take 1 ms at 28 GB/s. */
    private static final BenchReport.Row ADAMW =
            new BenchReport.Row(Workload.adamw(1_000_000), Timing.NONE, new Timing(2e-3, 2e-3, 2e-3));

    private static BenchReport report(Ceilings ceilings) {
        return new BenchReport(Map.of("processor", "an <x> & a y"), ceilings, "onednn", List.of(GEMM, ADAMW));
    }

    @Test
    void aRowHoldsTimesRatioSpeedAndItsPartOfTheCeiling() {
        String table = report(CEILINGS).markdown();
        assertTrue(
                table.contains("| matmul | 512×512×512 | f32 | 1.60 (1.50–1.70) ms | 320 (310–330) µs | 0.200"
                        + " | 168 GFLOP/s | 84 % |"),
                table);
        assertTrue(table.contains("| AdamW | 1,000,000 | f32 | - | 2.00 (2.00–2.00) ms | - | - GB/s | - |"), table);
    }

    @Test
    void withoutCeilingsThereIsNoPartOfThem() {
        String table = report(Ceilings.UNKNOWN).markdown();
        assertTrue(table.contains("| 168 GFLOP/s | - |"), table);
        assertTrue(table.contains("not known without native libraries"), table);
    }

    @Test
    void thePageIsWellFormedAndNeedsNothingElse() throws Exception {
        String page = report(CEILINGS).html();
        Document document = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(page.replace("<!DOCTYPE html>", ""))));
        assertEquals(2, document.getElementsByTagName("svg").getLength(), "one chart for each kind of work");
        assertEquals(3, document.getElementsByTagName("rect").getLength(), "one bar for each time");
        assertEquals(
                3, Pattern.compile("class=\"whisker\"").matcher(page).results().count());
        assertEquals(
                2,
                Pattern.compile("<line class=\"limit\"").matcher(page).results().count());
        assertTrue(page.contains("not here"), "what native code declines");
        assertTrue(page.contains("an &lt;x&gt; &amp; a y"));
        assertTrue(!page.contains("http"), "nothing is loaded");
    }

    @Test
    void quartilesLieBetweenSamples() {
        assertEquals(new Timing(3, 2, 4), Timing.of(List.of(5.0, 1.0, 4.0, 2.0, 3.0)));
        assertEquals(new Timing(1.5, 1.25, 1.75), Timing.of(List.of(2.0, 1.0)));
    }

    @Test
    void bodiesTakeTurns() {
        int[] runs = new int[2];
        List<Timing> times = Timing.inTurns(List.of(() -> runs[0]++, () -> runs[1]++), 0.01);
        assertEquals(2, times.size());
        assertTrue(runs[0] > 1000 && runs[1] > 1000, "many runs to a sample");
        assertTrue(times.get(0).median() > 0 && times.get(0).median() < 1e-3, times::toString);
    }

    @Test
    void everyWorkloadHasACostAndANameOfItsOwn() {
        for (Workload workload : Workload.all()) {
            assertTrue(workload.cost().flops() + workload.cost().bytes() > 0, workload::toString);
            assertEquals(
                    workload.toString(), Workload.named(workload.toString()).toString());
        }
        assertEquals(
                Workload.all().size(),
                Workload.all().stream().map(Workload::toString).distinct().count());
        String message = assertThrows(IllegalArgumentException.class, () -> Workload.named("matmul 17"))
                .getMessage();
        assertTrue(String.valueOf(message).contains("matmul 16×16×16"), message);
    }

    @Test
    void smallWorkloadsRunInJava() {
        Backends java = Backends.of("java").withThreads(1);
        for (Workload workload : List.of(
                Workload.gemm(16, DType.F32),
                Workload.gemm(16, DType.BF16),
                Workload.convolutionBackwardWeights(Shape.of(1, 2, 4, 4), DType.BF16),
                Workload.layerNormBackward(4, 8),
                Workload.crossEntropy(4, 8),
                Workload.maxPool(2),
                Workload.dropout(4, 8),
                Workload.embedding(4, 8),
                Workload.lstm(2, 3, 4),
                Workload.transpose(4, 8),
                Workload.adamw(100))) {
            try (Workload.Ready ready = workload.prepare(java)) {
                ready.run();
                assertTrue(ready.plan().toString().contains("java"), workload::toString);
            }
        }
    }
}
