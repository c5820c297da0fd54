package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CsvTest {
    private static final Csv NAMED = Csv.withHeader();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path dir;

    @Test
    void everyColumnButTheTargetIsAnInput() throws IOException {
        String file = "id,width,kind,height\n7,1.5,oak,-2e1\n8, +3 ,elm,.5\n9,0,oak,6.\n";
        Table table = read(NAMED.ignore("id").labels("kind"), file);
        assertEquals(List.of("width", "height"), table.columns());
        assertEquals(List.of("elm", "oak"), table.categories());
        assertEquals("[x F32[2], target I32[] of 2 classes]", table.fields().toString());
        assertEquals(
                Batch.of(Tensor.of(Shape.of(3, 2), 1.5f, -20, 3, 0.5f, 0, 6), Tensor.of(Shape.of(3), 1, 0, 1)),
                table.batch(0, 1, 2));
        assertEquals(0, table.label(1));
        Table numbers = read(NAMED.ignore("kind", "id").target("height"), file);
        assertEquals("[x F32[1], target F32[]]", numbers.fields().toString());
        assertEquals(Tensor.of(Shape.of(2), 0.5f, 6), numbers.batch(1, 2).target());
        assertEquals(List.of(), numbers.categories());
        Table alone = read(NAMED.ignore("kind"), file);
        assertEquals("[x F32[3]]", alone.fields().toString());
    }

    @Test
    void withoutAHeaderColumnsAreNumbered() throws IOException {
        Table table = read(Csv.withoutHeader().separator(';').labels("3"), "1;2;10\n3;4;9\n5;6;-1");
        assertEquals(List.of("1", "2"), table.columns());
        assertEquals(List.of("-1", "9", "10"), table.categories(), "numbers are sorted as numbers");
        assertArrayEquals(new int[] {2, 1, 0}, table.batch(0, 1, 2).target().ints());
    }

    @Test
    void quotesFollowTheRfc() throws IOException {
        Table table = read(
                NAMED.labels("a \"b\",\nc"),
                "\uFEFF\"a \"\"b\"\",\nc\",x\r\n\"two\r\nlines\",1\r\n\"\"\"\",2\r\nplain,\"3\"\r\n");
        assertEquals(List.of("\"", "plain", "two\r\nlines"), table.categories());
        assertEquals(Tensor.of(Shape.of(3, 1), 1f, 2, 3), table.batch(0, 1, 2).x());
    }

    @Test
    void testDataAreReadWithTheCategoriesOfTheTrainingData() throws IOException {
        Table train = read(NAMED.labels("y"), "x,y\n1,b\n1,a\n1,c\n");
        Csv same = NAMED.labels("y", train.categories());
        Table test = read(same, "x,y\n1,c\n2,a\n");
        assertEquals(train.categories(), test.categories());
        assertArrayEquals(new int[] {2, 0}, test.batch(0, 1).target().ints());
        assertMalformed("line 2, column \"y\" is \"d\", which is none of [a, b, c]", same, "x,y\n1,d\n");
        assertEquals(
                "[z, a]",
                read(NAMED.labels("y", List.of("z", "a")), "x,y\n1,a\n")
                        .categories()
                        .toString());
        assertEquals(1, read(NAMED.labels("y", List.of("z", "a")), "x,y\n1,a\n").label(0));
    }

    @Test
    void noRecordsAreStillADataSet() throws IOException {
        Table table = read(NAMED.target("y"), "x,y,z\n");
        assertEquals(0, table.size());
        assertEquals("[x F32[2], target F32[]]", table.fields().toString());
        assertEquals(0, read(NAMED.labels("y", List.of("a")), "x,y").size());
        assertMalformed("there is no record to find the categories of column \"y\" in", NAMED.labels("y"), "x,y\n");
    }

    @Test
    void aFileThatIsNotWhatItClaimsIsNamed() {
        Csv csv = NAMED.target("y");
        assertMalformed("it has no header", csv, "");
        assertMalformed("it has no header", csv, "\n\n");
        assertMalformed("it has no records", Csv.withoutHeader(), "");
        assertMalformed("no column \"y\" among [a, b]", csv, "a,b\n1,2\n");
        assertMalformed("no column \"c\" among [y]", csv.ignore("c"), "y\n1\n");
        assertMalformed("two columns are called \"x\"", csv, "x,y,x\n");
        assertMalformed("line 3 has 3 fields, but 2 are needed", csv, "x,y\n1,2\n1,2,3\n");
        assertMalformed("line 5 has 1 fields, but 2 are needed", csv, "x,y\n1,2\n\"1\n\",2\n1\n");
        assertMalformed("line 3 is empty", csv, "x,y\n1,2\n\n1,2\n");
        assertMalformed("line 2, column \"x\" is missing", csv, "x,y\n,2\n");
        assertMalformed("line 3, column \"x\" is missing", csv, "x,y\n1,2\n  ,2\n");
        assertMalformed("line 2, column \"y\" is missing: \"NA\"", csv, "x,y\n1,NA\n");
        assertMalformed("line 2, column \"y\" is missing: \"?\"", NAMED.labels("y"), "x,y\n1,?\n");
        assertMalformed("line 2, column \"y\" is missing", NAMED.labels("y"), "x,y\n1,\n");
        assertMalformed("line 2, column \"x\" is \"oak\", which is no number", csv, "x,y\noak,2\n");
        assertMalformed("line 2, column \"x\" is \"1,5\", which is no number", csv, "x,y\n\"1,5\",2\n");
        for (String notDecimal : List.of("1f", "0x1p3", "Infinity", "1e", "--1", "1 2", ".")) {
            assertMalformed(
                    "line 2, column \"x\" is \"" + notDecimal + "\", which is no number",
                    csv,
                    "x,y\n" + notDecimal + ",2\n");
        }
        assertMalformed("line 2, column \"x\" is \"1e39\", too large for F32", csv, "x,y\n1e39,2\n");
        assertMalformed(
                "line 2, column \"x\" is \"" + "a".repeat(40) + "…\", which is no number",
                csv,
                "x,y\n" + "a".repeat(100) + ",2\n");
        assertMalformed("the quote that opens on line 2 is never closed", csv, "x,y\n\"1,2\n3,4\n");
        assertMalformed("line 2 has more after a closing quote", csv, "x,y\n\"1\"0,2\n");
        assertMalformed("line 2 has a quote within a field that does not begin with one", csv, "x,y\n1\"0\",2\n");
        assertMalformed("line 2 has a carriage return within it", csv, "x,y\n1,2\r1,2\n");
        byte[] latin1 = "x,y\n\u00e9,2\n".getBytes(StandardCharsets.ISO_8859_1);
        assertMalformed("it is not UTF-8 text", csv, latin1);
    }

    @Test
    void zippedFilesAreReadAndTheirDamageIsFound() throws IOException {
        byte[] plain = "x,y\n1,2\n3,4\n".getBytes(StandardCharsets.UTF_8);
        byte[] zipped = IdxFiles.zip(plain);
        Csv csv = NAMED.target("y");
        assertEquals(
                Tensor.of(Shape.of(2), 2f, 4),
                csv.read(Files.write(dir.resolve("t.csv.gz"), zipped))
                        .batch(0, 1)
                        .target());
        for (int length = 0; length < zipped.length; length++) {
            byte[] cut = Arrays.copyOf(zipped, length);
            assertThrows(MalformedDataException.class, () -> csv.read(new ByteArrayInputStream(cut)), "" + length);
        }
    }

    @Test
    void anyBytesAreReadOrRefused() {
        byte[] file = "x,y\n1,2\n\"3\",4e1\n".getBytes(StandardCharsets.UTF_8);
        Philox random = new Philox(2, 0);
        int refused = 0;
        for (int trial = 0; trial < 3000; trial++) {
            byte[] damaged = file.clone();
            damaged[random.below(file.length, 2L * trial)] = (byte) random.bits(2L * trial + 1);
            try {
                NAMED.labels("y").read(new ByteArrayInputStream(damaged));
            } catch (MalformedDataException e) {
                refused++;
            } catch (IOException e) {
                throw new AssertionError("trial " + trial, e);
            }
        }
        assertTrue(refused > 1000, "" + refused);
    }

    @Test
    void filesAreNamed() throws IOException {
        Path missing = dir.resolve("missing.csv");
        assertThrows(NoSuchFileException.class, () -> NAMED.read(missing));
        Path empty = Files.write(dir.resolve("empty.csv"), new byte[0]);
        assertEquals(
                empty + ": it has no header",
                assertThrows(MalformedDataException.class, () -> NAMED.read(empty))
                        .getMessage());
    }

    @Test
    void manyRecordsFit() throws IOException {
        StringBuilder file = new StringBuilder("a,b,y\n");
        for (int i = 0; i < 5000; i++) {
            file.append(i).append(',').append(-i).append(',').append(i % 7).append('\n');
        }
        Table table = read(NAMED.labels("y"), file.toString());
        assertEquals(5000, table.size());
        assertEquals(Tensor.of(Shape.of(1, 2), 4999f, -4999), table.batch(4999).x());
        assertEquals(4999 % 7, table.label(4999));
        assertEquals(
                Tensor.of(Shape.of(1), 4999f),
                read(NAMED.ignore("a", "b").target("y"), file.toString().replaceAll(",\\d\n", ",4999\n"))
                        .batch(4999)
                        .target());
    }

    @Test
    void whatDoesNotFitIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> NAMED.separator('"'));
        assertThrows(IllegalArgumentException.class, () -> NAMED.labels("y", List.of("a", "a")));
    }

    private static Table read(Csv csv, String text) throws IOException {
        return csv.read(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static void assertMalformed(String message, Csv csv, String text) {
        assertMalformed(message, csv, text.getBytes(StandardCharsets.UTF_8));
    }

    private static void assertMalformed(String message, Csv csv, byte[] bytes) {
        assertEquals(
                "csv: " + message,
                assertThrows(MalformedDataException.class, () -> csv.read(new ByteArrayInputStream(bytes)))
                        .getMessage());
    }
}
