package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFolderTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path dir;

    /** A 2×3 image, each pixel's levels drawn at random. */
    private static BufferedImage image(int type) {
        BufferedImage image = new BufferedImage(3, 2, type);
        Philox random = new Philox(1, 0);
        for (int at = 0; at < 6; at++) {
            int here = at;
            int[] pixel = new int[image.getRaster().getNumBands()];
            Arrays.setAll(pixel, b -> 10 * b + random.below(200, 4L * here + b));
            image.getRaster().setPixel(at % 3, at / 3, pixel);
        }
        image.getRaster().setSample(2, 1, 0, 255);
        return image;
    }

    private static byte[] bytes(BufferedImage image, String format) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        assertTrue(ImageIO.write(image, format, out));
        return out.toByteArray();
    }

    private Path file(String name, byte[] bytes) throws IOException {
        Path file = dir.resolve(name);
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        return Files.write(file, bytes);
    }

    @Test
    void aSubDirectoryIsAClass() throws IOException {
        byte[] png = bytes(image(BufferedImage.TYPE_INT_RGB), "png");
        file("dog/b.png", png);
        file("cat/2.PNG", png);
        file("cat/10.png", png);
        file("cat/.hidden.png", png);
        file("cat/notes.txt", png);
        file("cat/png", png);
        file(".hidden/a.png", png);
        file("stray.png", png);
        Files.createDirectories(dir.resolve("emu"));
        Files.createDirectories(dir.resolve("dog/inner.png"));
        ImageFolder data = ImageFolder.open(dir, 2, 3, 3);
        assertEquals(List.of("cat", "dog", "emu"), data.categories());
        assertEquals("[x F32[3,2,3], target I32[] of 3 classes]", data.fields().toString());
        assertEquals(3, data.size());
        assertEquals(dir.resolve("cat/10.png"), data.file(0));
        assertEquals(dir.resolve("dog/b.png"), data.file(2));
        assertEquals(1, data.label(2));
        assertArrayEquals(new int[] {0, 0, 1}, data.batch(0, 1, 2).target().ints());
    }

    @Test
    void coloursAreRedGreenAndBlue() throws IOException {
        BufferedImage image = image(BufferedImage.TYPE_INT_RGB);
        for (String format : List.of("png", "bmp")) {
            float[] x = only("a/x." + format, bytes(image, format), 2, 3, 3);
            for (int c = 0; c < 3; c++) {
                for (int at = 0; at < 6; at++) {
                    assertEquals(image.getRaster().getSample(at % 3, at / 3, c) / 255f, x[c * 6 + at]);
                }
            }
        }
        float[] grey = only("b/x.png", bytes(image, "png"), 2, 3, 1);
        int[] first = image.getRaster().getPixel(0, 0, (int[]) null);
        assertEquals((0.299 * first[0] + 0.587 * first[1] + 0.114 * first[2]) / 255, grey[0], 1e-6);
    }

    @Test
    void greyIsAsItWasStored() throws IOException {
        BufferedImage image = image(BufferedImage.TYPE_BYTE_GRAY), deep = image(BufferedImage.TYPE_USHORT_GRAY);
        float[] x = only("a/x.png", bytes(image, "png"), 2, 3, 1);
        float[] three = only("b/x.png", bytes(image, "png"), 2, 3, 3);
        float[] fine = only("c/x.png", bytes(deep, "png"), 2, 3, 1);
        for (int at = 0; at < 6; at++) {
            assertEquals(image.getRaster().getSample(at % 3, at / 3, 0) / 255f, x[at]);
            assertEquals(x[at], three[at]);
            assertEquals(x[at], three[12 + at]);
            assertEquals(deep.getRaster().getSample(at % 3, at / 3, 0) / 65535f, fine[at]);
        }
    }

    @Test
    void palettesAndTransparencyAreRead() throws IOException {
        BufferedImage indexed = new BufferedImage(9, 8, BufferedImage.TYPE_BYTE_INDEXED);
        for (int at = 0; at < 72; at++) {
            indexed.setRGB(at % 9, at / 9, at % 5 == 0 ? 0xffff0000 : 0xff0000ff);
        }
        for (String format : List.of("png", "gif")) {
            float[] x = only("a/x." + format, bytes(indexed, format), 8, 9, 3);
            for (int at = 0; at < 72; at++) {
                assertEquals(at % 5 == 0 ? 1 : 0, x[at], format);
                assertEquals(at % 5 == 0 ? 0 : 1, x[144 + at], format);
            }
        }
        BufferedImage clear = new BufferedImage(3, 2, BufferedImage.TYPE_INT_ARGB);
        clear.setRGB(1, 1, 0x00ff0000);
        assertEquals(1, only("b/x.png", bytes(clear, "png"), 2, 3, 3)[4], "as if it were opaque");
    }

    @Test
    void jpegIsReadRoughly() throws IOException {
        BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
        for (int at = 0; at < 256; at++) {
            image.setRGB(at % 16, at / 16, 0xff804020);
        }
        float[] x = only("a/x.jpg", bytes(image, "jpg"), 4, 4, 3);
        assertEquals(0x80 / 255f, x[5], 0.02);
        assertEquals(0x20 / 255f, x[37], 0.02);
    }

    @Test
    void resizingAgreesWithItsFormula() {
        for (int trial = 0; trial < 50; trial++) {
            Philox random = new Philox(trial, 0);
            int h = 1 + random.below(9, 0), w = 1 + random.below(9, 1);
            int toH = 1 + random.below(9, 2), toW = 1 + random.below(9, 3);
            float[] x = new float[h * w], y = new float[2 + toH * toW];
            for (int i = 0; i < x.length; i++) {
                x[i] = random.uniform(4 + i);
            }
            float[] narrow = new float[h * toW];
            for (int k = 0; k < h; k++) {
                new Resize(w, toW).apply(x, k * w, 1, narrow, k * toW, 1);
            }
            for (int j = 0; j < toW; j++) {
                new Resize(h, toH).apply(narrow, j, toW, y, 2 + j, toW);
            }
            for (int i = 0; i < toH; i++) {
                for (int j = 0; j < toW; j++) {
                    double sum = 0, weights = 0;
                    for (int k = 0; k < h; k++) {
                        for (int l = 0; l < w; l++) {
                            double weight = weight(i, k, h, toH) * weight(j, l, w, toW);
                            sum += weight * x[k * w + l];
                            weights += weight;
                        }
                    }
                    assertEquals(sum / weights, y[2 + i * toW + j], 1e-6);
                }
            }
        }
    }

    private static double weight(int i, int k, int from, int to) {
        double scale = (double) from / to;
        return Math.max(0, 1 - Math.abs(k + 0.5 - (i + 0.5) * scale) / Math.max(scale, 1));
    }

    @Test
    void noSubDirectoriesAreAnErrorAndNoImagesAreNone() throws IOException {
        assertEquals(
                dir + ": it has no sub-directories, of which each is a class",
                assertThrows(MalformedDataException.class, () -> ImageFolder.open(dir, 1, 1, 1))
                        .getMessage());
        Files.createDirectories(dir.resolve("cat"));
        assertEquals(0, ImageFolder.open(dir, 1, 1, 1).size());
        assertThrows(IOException.class, () -> ImageFolder.open(dir.resolve("dog"), 1, 1, 1));
        assertThrows(IllegalArgumentException.class, () -> ImageFolder.open(dir, 1, 1, 2));
        assertThrows(IllegalArgumentException.class, () -> ImageFolder.open(dir, 0, 1, 3));
    }

    @Test
    void whatIsNoImageIsNamed() throws IOException {
        Path text = file("a/text.png", "<html>".getBytes(StandardCharsets.UTF_8));
        Path empty = file("b/empty.jpg", new byte[0]);
        Path gone = file("c/gone.png", new byte[0]);
        ImageFolder data = ImageFolder.open(dir, 2, 2, 3);
        Files.delete(gone);
        try (Batches batches = Batching.of(1).open(data)) {
            batches.startEpoch(0);
            for (Path path : List.of(text, empty)) {
                SampleException e = assertThrows(SampleException.class, batches::next);
                assertInstanceOf(UncheckedIOException.class, e.getCause());
                assertEnds(path + ": it cannot be read as an image: it begins like no known format", e);
            }
            assertEnds("NoSuchFileException: " + gone, assertThrows(SampleException.class, batches::next));
        }
    }

    @Test
    void everyTruncationIsDetected() throws IOException {
        BufferedImage image = new BufferedImage(40, 30, BufferedImage.TYPE_INT_RGB);
        Philox random = new Philox(3, 0);
        for (int at = 0; at < 1200; at++) {
            image.setRGB(at % 40, at / 40, random.bits(at) | 0xff000000);
        }
        for (String format : List.of("png", "jpg", "bmp", "gif")) {
            byte[] whole = bytes(image, format);
            int needed =
                    format.equals("png") ? whole.length - 16 : format.equals("gif") ? whole.length - 2 : whole.length;
            for (int length = 0; length < needed; length += 1 + length / 8) {
                byte[] cut = Arrays.copyOf(whole, length);
                UncheckedIOException e = assertThrows(
                        UncheckedIOException.class,
                        () -> only("a/x." + format, cut, 30, 40, 3),
                        format + " of " + whole.length + " cut to " + cut.length);
                assertInstanceOf(MalformedDataException.class, e.getCause());
            }
        }
    }

    @Test
    void damageIsDetectedOrGivesAnImage() throws IOException {
        Philox random = new Philox(4, 0);
        for (String format : List.of("png", "jpg", "bmp", "gif")) {
            byte[] whole = bytes(image(BufferedImage.TYPE_INT_RGB), format);
            for (int trial = 0; trial < 60; trial++) {
                byte[] damaged = whole.clone();
                damaged[random.below(whole.length, 2L * trial)] ^= (byte) (1 << random.below(8, 2L * trial + 1));
                try {
                    assertEquals(18, only("a/x." + format, damaged, 2, 3, 3).length);
                } catch (UncheckedIOException e) {
                    assertInstanceOf(MalformedDataException.class, e.getCause());
                }
            }
        }
    }

    @Test
    void aHeaderThatPromisesMuchIsRefused() throws IOException {
        byte[] png = bytes(image(BufferedImage.TYPE_INT_RGB), "png");
        ByteBuffer header = ByteBuffer.wrap(png);
        header.putInt(16, 60_000).putInt(20, 60_000); // IHDR's width and height
        CRC32 crc = new CRC32();
        crc.update(png, 12, 17);
        header.putInt(29, (int) crc.getValue());
        UncheckedIOException e = assertThrows(UncheckedIOException.class, () -> only("a/x.png", png, 2, 3, 3));
        assertEnds(
                "it cannot be read as an image: it claims 60000×60000 pixels, but sides of 1…65535, and at most "
                        + png.length * 8192 + " pixels, can be",
                e);
    }

    private static void assertEnds(String end, Exception e) {
        String message = String.valueOf(e.getMessage());
        assertTrue(message.endsWith(end), message);
    }

    /** The x of the only image in a folder of its own. */
    private float[] only(String name, byte[] bytes, int height, int width, int channels) throws IOException {
        Path folder = Files.createTempDirectory(dir, "one");
        Path file = folder.resolve(name);
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        Files.write(file, bytes);
        Batch batch = ImageFolder.open(folder, height, width, channels).batch(0);
        assertEquals(Tensor.of(Shape.of(1), 0), batch.target());
        return batch.x().floats();
    }
}
