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
    /** A small file can claim to be a huge image; Pillow, too, refuses those of more than about so many pixels. */
    private static final long MOST_PIXELS = 1 << 27;

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
        int channels = shape.get(0), height = shape.get(1), width = shape.get(2);
        float[][] planes = planes(image, channels);
        for (int c = 0; c < channels; c++) {
            Resize.bilinear(
                    planes[c], image.getHeight(), image.getWidth(), into, offset + c * height * width, height, width);
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
                return decode(reader, in);
            } finally {
                reader.dispose();
            }
        }
    }

    private static BufferedImage decode(ImageReader reader, ImageInputStream in) throws IOException {
        // A JPEG file that ends early is only a warning to its decoder.
        AtomicReference<@Nullable String> warning = new AtomicReference<>();
        reader.addIIOReadWarningListener((source, text) -> warning.compareAndSet(null, text));
        reader.setInput(in, true, true);
        long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
        if (pixels < 1 || pixels > MOST_PIXELS) {
            throw new IOException("it claims " + reader.getWidth(0) + "×" + reader.getHeight(0) + " pixels, outside 1…"
                    + MOST_PIXELS);
        }
        BufferedImage image = reader.read(0);
        if (warning.get() != null) {
            throw new IOException(warning.get());
        }
        return image;
    }

    /** Red, green and blue, or grey, from 0 to 1, row by row. */
    private static float[][] planes(BufferedImage image, int channels) {
        ColorModel colors = image.getColorModel();
        boolean grey = colors.getColorSpace().getType() == ColorSpace.TYPE_GRAY && !(colors instanceof IndexColorModel);
        if (grey) {
            float[] plane = greys(image.getRaster(), (1 << colors.getComponentSize(0)) - 1);
            return channels == 1 ? new float[][] {plane} : new float[][] {plane, plane, plane};
        }
        return colours(image, channels);
    }

    /** The numbers as they are stored: Java's conversion to RGB takes them for linear light, and brightens them. */
    private static float[] greys(Raster raster, float most) {
        float[] plane = raster.getSamples(
                raster.getMinX(), raster.getMinY(), raster.getWidth(), raster.getHeight(), 0, (float[]) null);
        for (int i = 0; i < plane.length; i++) {
            plane[i] /= most;
        }
        return plane;
    }

    /** Grey is 0.299·R + 0.587·G + 0.114·B, the luma of ITU-R BT.601. */
    private static float[][] colours(BufferedImage image, int channels) {
        int width = image.getWidth(), height = image.getHeight();
        float[][] planes = new float[channels][width * height];
        int[] row = new int[width];
        for (int i = 0; i < height; i++) {
            image.getRGB(0, i, width, 1, row, 0, width);
            for (int j = 0; j < width; j++) {
                float r = ((row[j] >> 16) & 0xff) / 255f, g = ((row[j] >> 8) & 0xff) / 255f, b = (row[j] & 0xff) / 255f;
                int at = i * width + j;
                if (channels == 1) {
                    planes[0][at] = 0.299f * r + 0.587f * g + 0.114f * b;
                } else {
                    planes[0][at] = r;
                    planes[1][at] = g;
                    planes[2][at] = b;
                }
            }
        }
        return planes;
    }
}
