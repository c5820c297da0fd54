package dev.hadal.cli;

import dev.hadal.data.ByteImages;
import dev.hadal.data.Idx;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Pictures of clothes in ten classes (Xiao, Rasul and Vollgraf 2017), for training and for testing.
 *
 * @param names of the classes
 */
public record FashionMnist(ByteImages train, ByteImages test, List<String> names) {
    private static final String TRAIN = "train";
    private static final String TEST = "t10k";

    private static final List<String> CLOTHES = List.of(
            "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot");
    private static final List<String> DIGITS = List.of("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");

    /** The 10,000 training images and 10,000 test images that ship with the command. */
    public static FashionMnist shipped() throws IOException {
        return new FashionMnist(shipped(TRAIN), shipped(TEST), CLOTHES);
    }

    private static ByteImages shipped(String part) throws IOException {
        return Idx.read(resource(images(part)), resource(labels(part)), CLOTHES.size());
    }

    private static InputStream resource(String name) {
        InputStream stream = FashionMnist.class.getResourceAsStream("fashion-mnist/" + name);
        if (stream == null) {
            throw new IllegalStateException("this build of the command lacks its resource fashion-mnist/" + name);
        }
        return stream;
    }

    /** The full set, or another in the same format such as MNIST's digits, from a directory of four files. */
    static FashionMnist from(Path directory) throws IOException, CommandException {
        boolean clothes = directory.toAbsolutePath().normalize().endsWith("fashion-mnist");
        return new FashionMnist(from(directory, TRAIN), from(directory, TEST), clothes ? CLOTHES : DIGITS);
    }

    private static ByteImages from(Path directory, String part) throws IOException, CommandException {
        return Idx.read(existing(directory, images(part)), existing(directory, labels(part)), CLOTHES.size());
    }

    private static Path existing(Path directory, String name) throws CommandException {
        Path file = directory.resolve(name);
        if (!Files.isRegularFile(file)) {
            throw new CommandException("there is no " + file.toAbsolutePath().normalize()
                    + ". `scripts/data DIR` fetches the full set; then use --data DIR/fashion-mnist");
        }
        return file;
    }

    private static String images(String part) {
        return part + "-images-idx3-ubyte.gz";
    }

    private static String labels(String part) {
        return part + "-labels-idx1-ubyte.gz";
    }
}
