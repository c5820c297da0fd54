package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Image files in a directory that has one sub-directory for each class. Classes are numbered in the order of their names,
 * and so are the images of each. Hidden files are left out, and those whose names do not end as those of images do.
 *
 * <p>An image is read from its file each time, by {@code javax.imageio}, as R, G and B or as grey, from 0 to 1, and resized
 * bilinearly; transparency is ignored. A file that is no image, or damaged, is a {@link MalformedDataException} within an
 * {@link UncheckedIOException} when it is read. This needs the module {@code java.desktop}, which a modular program that
 * opens image folders must require.
 */
public final class ImageFolder implements Dataset {
    private final List<String> categories;
    private final List<Path> files;
    private final int[] labels;
    private final List<Field> fields;

    private ImageFolder(List<String> categories, List<Path> files, int[] labels, Shape shape) {
        this.categories = List.copyOf(categories);
        this.files = List.copyOf(files);
        this.labels = labels;
        this.fields = List.of(Field.floats(X, shape), Field.labels(TARGET, Shape.SCALAR, categories.size()));
    }

    /**
     * Finds the files; reads none of them.
     *
     * @param channels 3 for colour, 1 for grey
     * @throws MalformedDataException if there are no sub-directories
     * @throws java.nio.file.NotDirectoryException if it is not a directory
     * @throws IllegalStateException if the program runs without {@code java.desktop}
     */
    public static ImageFolder open(Path directory, int height, int width, int channels) throws IOException {
        if (height < 1 || width < 1 || (channels != 1 && channels != 3)) {
            throw new IllegalArgumentException("images of " + channels + " channels, " + height + " rows and " + width
                    + " columns; 1 or 3 channels, and at least 1 row and 1 column are needed");
        }
        if (ModuleLayer.boot().findModule("java.desktop").isEmpty()) {
            throw new IllegalStateException(
                    "image folders need the module java.desktop, which is not here: require it in"
                            + " your module, or run with --add-modules java.desktop");
        }
        List<Path> classes =
                children(directory).stream().filter(Files::isDirectory).toList();
        if (classes.isEmpty()) {
            throw new MalformedDataException(
                    directory.toString(), "it has no sub-directories, of which each is a class");
        }
        List<Path> files = new ArrayList<>();
        List<Integer> labels = new ArrayList<>();
        for (Path folder : classes) {
            for (Path file : children(folder)) {
                if (Files.isRegularFile(file) && ImageFile.isNamedSo(file)) {
                    labels.add(classes.indexOf(folder));
                    files.add(file);
                }
            }
        }
        return new ImageFolder(
                classes.stream().map(ImageFolder::name).toList(),
                files,
                labels.stream().mapToInt(Integer::intValue).toArray(),
                Shape.of(channels, height, width));
    }

    private static List<Path> children(Path directory) throws IOException {
        try (Stream<Path> all = Files.list(directory)) {
            return all.filter(p -> !name(p).startsWith(".")).sorted().toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static String name(Path path) {
        return path.getName(path.getNameCount() - 1).toString();
    }

    /** The names of the classes, by their indices. */
    public List<String> categories() {
        return categories;
    }

    /** Where a sample comes from. */
    public Path file(int index) {
        return files.get(index);
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public List<Field> fields() {
        return fields;
    }

    @Override
    public void read(int index, Row row) {
        try {
            ImageFile.read(files.get(index), shape(), row.floats(X), row.offset(X));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        row.set(TARGET, labels[index]);
    }

    @Override
    public int label(int index) {
        return labels[index];
    }
}
