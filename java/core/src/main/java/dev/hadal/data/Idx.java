package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.zip.ZipException;

/**
 * Reads the format of MNIST and its kin (LeCun, Cortes and Burges 1998), plain or gzipped: a magic number, the
 * dimensions, and then the bytes. Numbers are big-endian.
 *
 * <pre>
 *   images  0x00000803  count  rows  columns  count·rows·columns bytes
 *   labels  0x00000801  count                 count bytes
 * </pre>
 */
public final class Idx {
    private static final int IMAGES = 0x0803;
    private static final int LABELS = 0x0801;

    private Idx() {}

    /**
     * Grey images of shape [1,rows,columns] with their labels.
     *
     * @throws MalformedDataException if a file is not what it should be
     * @throws java.nio.file.NoSuchFileException if a file is missing
     */
    public static ByteImages read(Path images, Path labels, int classes) throws IOException {
        try (InputStream x = Gzip.open(images);
                InputStream y = Gzip.open(labels)) {
            return read(images.toString(), x, labels.toString(), y, classes);
        }
    }

    /** The same, from streams, which are read to their ends and closed. */
    public static ByteImages read(InputStream images, InputStream labels, int classes) throws IOException {
        return read("images", images, "labels", labels, classes);
    }

    private static ByteImages read(
            String imagesName, InputStream imagesIn, String labelsName, InputStream labelsIn, int classes)
            throws IOException {
        Array images = Array.read(imagesName, imagesIn, IMAGES, "images");
        Array labels = Array.read(labelsName, labelsIn, LABELS, "labels");
        if (images.dims[0] != labels.dims[0]) {
            throw new MalformedDataException(
                    labelsName, labels.dims[0] + " labels for the " + images.dims[0] + " images of " + imagesName);
        }
        int[] classOf = new int[labels.bytes.length];
        for (int i = 0; i < classOf.length; i++) {
            classOf[i] = labels.bytes[i] & 0xff;
            if (!Labels.valid(classOf[i], classes)) {
                throw new MalformedDataException(labelsName, "label " + i + " is " + Labels.range(classOf[i], classes));
            }
        }
        return new ByteImages(Shape.of(1, images.dims[1], images.dims[2]), images.bytes, classes, classOf);
    }

    /** The contents of one file. */
    private record Array(int[] dims, byte[] bytes) {

        static Array read(String file, InputStream stream, int magic, String what) throws IOException {
            try (InputStream in = Gzip.plain(stream)) {
                int[] dims = header(file, in, magic, what);
                return new Array(dims, body(file, in, dims));
            } catch (EOFException e) {
                throw new MalformedDataException(file, "its gzip data end early", e);
            } catch (ZipException e) {
                throw new MalformedDataException(file, "its gzip data are damaged: " + e.getMessage(), e);
            }
        }

        private static int[] header(String file, InputStream in, int magic, String what) throws IOException {
            int[] dims = new int[magic & 0xff];
            byte[] header = in.readNBytes(4 + 4 * dims.length);
            if (header.length < 4 + 4 * dims.length) {
                throw new MalformedDataException(
                        file,
                        "the header of IDX " + what + " takes " + (4 + 4 * dims.length) + " bytes, but there are only "
                                + header.length);
            }
            ByteBuffer numbers = ByteBuffer.wrap(header);
            int found = numbers.getInt();
            if (found != magic) {
                throw new MalformedDataException(
                        file, String.format("IDX %s start with 0x%08x, but this with 0x%08x", what, magic, found));
            }
            for (int i = 0; i < dims.length; i++) {
                dims[i] = numbers.getInt();
                int least = i == 0 ? 0 : 1;
                if (dims[i] < least) {
                    throw new MalformedDataException(
                            file,
                            "dimension " + i + " is " + Integer.toUnsignedString(dims[i]) + ", outside " + least
                                    + "…2147483647");
                }
            }
            return dims;
        }

        /** Everything after the header. Memory grows with what is really there, not with what the header claims. */
        private static byte[] body(String file, InputStream in, int[] dims) throws IOException {
            Shape shape;
            try {
                shape = Shape.of(dims);
            } catch (IllegalArgumentException tooLarge) {
                throw new MalformedDataException(file, "too large to read: " + tooLarge.getMessage(), tooLarge);
            }
            String promise = "its header says " + shape + ", which takes " + shape.size() + " bytes, but ";
            byte[] bytes;
            try {
                bytes = in.readNBytes(shape.size());
            } catch (EOFException e) {
                throw new MalformedDataException(file, promise + "its gzip data end before that", e);
            }
            if (bytes.length < shape.size()) {
                throw new MalformedDataException(file, promise + "only " + bytes.length + " follow");
            }
            if (in.read() >= 0) {
                throw new MalformedDataException(file, promise + "more follow");
            }
            return bytes;
        }
    }
}
