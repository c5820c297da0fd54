package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdxTest {
    private static final byte[] IMAGES = IdxFiles.images(3, 2, 4);
    private static final byte[] LABELS = IdxFiles.labels(2, 0, 1);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path dir;

    @Test
    void readsPlainFilesAndZippedOnes() throws IOException {
        Path images = Files.write(dir.resolve("images"), IMAGES);
        Path labels = Files.write(dir.resolve("labels"), LABELS);
        check(Idx.read(images, labels, 3));
        check(Idx.read(
                Files.write(dir.resolve("images.gz"), IdxFiles.zip(IMAGES)),
                Files.write(dir.resolve("labels.gz"), IdxFiles.zip(LABELS)),
                3));
        check(read(IMAGES, IdxFiles.zip(LABELS)));
    }

    private static void check(ByteImages data) {
        assertEquals(3, data.size());
        assertEquals(Shape.of(1, 2, 4), data.shape());
        assertEquals(3, data.classes());
        assertEquals(2, data.label(0));
        Batch batch = data.batch(1, 2);
        for (int j = 0; j < 8; j++) {
            assertEquals((20 + j) / 255f, batch.x().floats()[8 + j]);
        }
        assertEquals(1, batch.target().ints()[1]);
    }

    @Test
    void bytesAreUnsigned() throws IOException {
        byte[] file = IMAGES.clone();
        file[16] = (byte) 255;
        assertEquals(1f, read(file, LABELS).batch(0).x().floats()[0]);
    }

    @Test
    void noImagesAtAllAreStillADataSet() throws IOException {
        assertEquals(0, read(IdxFiles.images(0, 2, 4), IdxFiles.labels()).size());
    }

    @Test
    void aFileThatIsNotWhatItClaimsIsNamed() {
        assertMalformed("images: IDX images start with 0x00000803, but this with 0x00000801", patch(IMAGES, 0, 0x0801));
        assertMalformed("images: IDX images start with 0x00000803, but this with 0x3c68746d", patch(IMAGES, 0, "<htm"));
        assertMalformed("images: the header of IDX images takes 16 bytes, but there are only 0", new byte[0]);
        assertMalformed(
                "images: the header of IDX images takes 16 bytes, but there are only 15", Arrays.copyOf(IMAGES, 15));
        assertMalformed(
                "images: its header says [3,2,4], which takes 24 bytes, but only 23 follow",
                Arrays.copyOf(IMAGES, IMAGES.length - 1));
        assertMalformed(
                "images: its header says [3,2,4], which takes 24 bytes, but more follow",
                Arrays.copyOf(IMAGES, IMAGES.length + 1));
        assertMalformed("images: dimension 0 is 4294967295, outside 0…2147483647", patch(IMAGES, 4, -1));
        assertMalformed("images: dimension 1 is 0, outside 1…2147483647", patch(IMAGES, 8, 0));
        assertMalformed(
                "images: too large to read: shape [2147483647, 2, 4] has more than 2^31 - 1 elements",
                patch(IMAGES, 4, Integer.MAX_VALUE));
        assertMalformed("labels: 3 labels for the 4 images of images", IdxFiles.images(4, 2, 4));
        assertMalformed("labels: label 1 is 255, outside 0…2", IMAGES, IdxFiles.labels(0, 255, 1));
        assertMalformed("labels: IDX labels start with 0x00000801, but this with 0x00000803", IMAGES, IMAGES);
    }

    @Test
    void aMissingFileIsNamed() throws IOException {
        Path labels = Files.write(dir.resolve("labels"), LABELS);
        Path missing = dir.resolve("missing");
        assertEquals(
                missing.toString(),
                assertThrows(NoSuchFileException.class, () -> Idx.read(missing, labels, 3))
                        .getMessage());
    }

    @Test
    void everyTruncationIsDetected() {
        byte[] zipped = IdxFiles.zip(IMAGES);
        for (int length = 0; length < IMAGES.length; length++) {
            byte[] cut = Arrays.copyOf(IMAGES, length);
            assertThrows(MalformedDataException.class, () -> read(cut, LABELS));
        }
        for (int length = 0; length < zipped.length; length++) {
            byte[] cut = Arrays.copyOf(zipped, length);
            Exception e = assertThrows(MalformedDataException.class, () -> read(cut, LABELS));
            assertTrue(e.toString().contains(": images: "), e::toString);
        }
    }

    @Test
    void damageToAZippedFileIsDetectedOrDoesNotMatter() {
        byte[] zipped = IdxFiles.zip(IdxFiles.images(50, 7, 5));
        byte[] labels = IdxFiles.labels(new int[50]);
        Philox random = new Philox(1, 0);
        int detected = 0;
        for (int trial = 0; trial < 400; trial++) {
            byte[] damaged = zipped.clone();
            damaged[random.below(damaged.length, 2L * trial)] ^= (byte) (1 << random.below(8, 2L * trial + 1));
            try {
                ByteImages data = read(damaged, labels);
                float[] first = data.batch(0).x().floats(),
                        last = data.batch(49).x().floats();
                assertArrayEquals(new float[] {0 / 255f, 1 / 255f, 2 / 255f}, Arrays.copyOf(first, 3));
                assertEquals((490 & 255) / 255f, last[0]);
            } catch (MalformedDataException e) {
                detected++;
            } catch (IOException e) {
                throw new AssertionError("trial " + trial, e);
            }
        }
        assertTrue(detected > 200, () -> "most damage is to the compressed data, and that has a checksum");
    }

    @Test
    void aHeaderThatPromisesMuchCostsNothing() {
        byte[] file = patch(patch(patch(IMAGES, 4, 1), 8, 1 << 15), 12, 1 << 15); // one image of 2³⁰ pixels
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        assertThrows(MalformedDataException.class, () -> read(file, LABELS));
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        assertTrue(allocated < 10 << 20, () -> allocated + " bytes allocated");
    }

    private static byte[] patch(byte[] file, int at, int value) {
        byte[] patched = file.clone();
        ByteBuffer.wrap(patched).putInt(at, value);
        return patched;
    }

    private static byte[] patch(byte[] file, int at, String ascii) {
        byte[] patched = file.clone();
        for (int i = 0; i < ascii.length(); i++) {
            patched[at + i] = (byte) ascii.charAt(i);
        }
        return patched;
    }

    private static ByteImages read(byte[] images, byte[] labels) throws IOException {
        return Idx.read(new ByteArrayInputStream(images), new ByteArrayInputStream(labels), 3);
    }

    private static void assertMalformed(String message, byte[] images) {
        assertMalformed(message, images, LABELS);
    }

    private static void assertMalformed(String message, byte[] images, byte[] labels) {
        assertEquals(
                message,
                assertThrows(MalformedDataException.class, () -> read(images, labels))
                        .getMessage());
    }
}
