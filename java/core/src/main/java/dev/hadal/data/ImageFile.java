package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.jspecify.annotations.Nullable;

/** One file of an {@link ImageFolder}. All that needs {@code java.desktop} is here. */
final class ImageFile {
    /** That of JPEG's. */
    private static final int LONGEST_SIDE = 65_535;
    /** Pillow, too, refuses images of more than about so many pixels. */
    private static final long MOST_PIXELS = 1 << 27;
    /** No format packs more into a byte: deflate makes at most 1032 of one, and a PNG's pixel takes a bit or more. */
    private static final long MOST_PIXELS_PER_BYTE = 1 << 13;

    private ImageFile() {}

    /** Whether the name ends in .png, .jpg, or another suffix that ImageIO knows. */
    static boolean isNamedSo(Path file) {
        String name = String.valueOf(file.getFileName());
        int dot = name.lastIndexOf('.');
        return dot >= 0
                && ImageIO.getImageReadersBySuffix(name.substring(dot + 1).toLowerCase(Locale.ROOT))
                        .hasNext();
    }

    /** Reads an image to {@code into[offset …]}, of that shape. */
    static void read(Path file, Shape shape, float[] into, int offset) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        BufferedImage image;
        try {
            image = decode(bytes);
        } catch (IOException | RuntimeException e) { // decoders throw more than they declare
            throw new MalformedDataException(file.toString(), "it cannot be read as an image: " + e.getMessage(), e);
        }
        resize(image, shape, into, offset);
    }

    /** Row by row to the new width, and then column by column to the new height. */
    private static void resize(BufferedImage image, Shape shape, float[] into, int offset) {
        int channels = shape.get(0), height = shape.get(1), width = shape.get(2), rows = image.getHeight();
        Resize across = new Resize(image.getWidth(), width), down = new Resize(rows, height);
        Pixels pixels = new Pixels(image, channels);
        float[] narrow = new float[Math.multiplyExact(channels * rows, width)];
        for (int i = 0; i < rows; i++) {
            float[][] row = pixels.row(i);
            for (int c = 0; c < channels; c++) {
                across.apply(row[c], 0, 1, narrow, (c * rows + i) * width, 1);
            }
        }
        for (int c = 0; c < channels; c++) {
            for (int j = 0; j < width; j++) {
                down.apply(narrow, c * rows * width + j, width, into, offset + c * height * width + j, width);
            }
        }
    }

    private static BufferedImage decode(byte[] bytes) throws IOException {
        try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
            Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
            if (!readers.hasNext()) {
                throw new IOException("it begins like no known format");
            }
            ImageReader reader = readers.next();
            try {
                return decode(reader, in, Math.min(MOST_PIXELS, bytes.length * MOST_PIXELS_PER_BYTE));
            } finally {
                reader.dispose();
            }
        }
    }

    private static BufferedImage decode(ImageReader reader, ImageInputStream in, long most) throws IOException {
        // A JPEG file that ends early is only a warning to its decoder.
        AtomicReference<@Nullable String> warning = new AtomicReference<>();
        reader.addIIOReadWarningListener((source, text) -> warning.compareAndSet(null, text));
        reader.setInput(in, true, true);
        int width = reader.getWidth(0), height = reader.getHeight(0);
        if (width < 1 || height < 1 || Math.max(width, height) > LONGEST_SIDE || (long) width * height > most) {
            throw new IOException("it claims " + width + "×" + height + " pixels, but sides of 1…" + LONGEST_SIDE
                    + ", and at most " + most + " pixels, can be");
        }
        BufferedImage image = reader.read(0);
        if (warning.get() != null) {
            throw new IOException(warning.get());
        }
        return image;
    }

    /** The rows of an image: red, green and blue, or grey, from 0 to 1. */
    private static final class Pixels {
        private final BufferedImage image;
        /** If it is grey. */
        private final @Nullable Raster raster;

        private final float most;
        private final float[][] row;
        private final int[] packed;

        Pixels(BufferedImage image, int channels) {
            ColorModel colors = image.getColorModel();
            boolean grey =
                    colors.getColorSpace().getType() == ColorSpace.TYPE_GRAY && !(colors instanceof IndexColorModel);
            this.image = image;
            this.raster = grey ? image.getRaster() : null;
            this.most = (1 << colors.getComponentSize(0)) - 1;
            this.row = new float[channels][image.getWidth()];
            this.packed = new int[image.getWidth()];
        }

        /** One row of each channel, valid until the next call. */
        float[][] row(int i) {
            if (raster == null) {
                colours(i);
            } else {
                greys(raster, i);
            }
            return row;
        }

        /** The numbers as they are stored: Java's conversion to RGB takes them for linear light, and brightens them. */
        private void greys(Raster raster, int i) {
            float[] grey = row[0];
            raster.getSamples(raster.getMinX(), raster.getMinY() + i, grey.length, 1, 0, grey);
            for (int j = 0; j < grey.length; j++) {
                grey[j] /= most;
            }
            for (int c = 1; c < row.length; c++) {
                System.arraycopy(grey, 0, row[c], 0, grey.length);
            }
        }

        /** Grey is 0.299·R + 0.587·G + 0.114·B, the luma of ITU-R BT.601. */
        private void colours(int i) {
            image.getRGB(0, i, packed.length, 1, packed, 0, packed.length);
            for (int j = 0; j < packed.length; j++) {
                int rgb = packed[j];
                float r = ((rgb >> 16) & 0xff) / 255f, g = ((rgb >> 8) & 0xff) / 255f, b = (rgb & 0xff) / 255f;
                if (row.length == 1) {
                    row[0][j] = 0.299f * r + 0.587f * g + 0.114f * b;
                } else {
                    row[0][j] = r;
                    row[1][j] = g;
                    row[2][j] = b;
                }
            }
        }
    }
}
