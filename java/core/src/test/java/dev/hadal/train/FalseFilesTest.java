package dev.hadal.train;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.data.Csv;
import dev.hadal.data.Idx;
import dev.hadal.data.MalformedDataException;
import dev.hadal.model.Model;
import dev.hadal.model.ModelFormatException;
import dev.hadal.model.Safetensors;
import dev.hadal.nn.Layers;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Files that are not what they claim: a typed exception that names the file, from every reader. */
class FalseFilesTest {
    private static final List<String> FALSE =
            List.of("empty", "directory", "image.png", "text", "zeros", "ones", "random", "truncated", "bare", "plain");

    @TempDir
    Path dir;

    private interface Read {
        Object from(Path file) throws IOException;
    }

    /** A reader, and what it throws. */
    private record Reader(String name, Class<? extends IOException> error, Read read) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Reader> readers() {
        Csv table = Csv.withHeader().target("y");
        return Stream.of(
                new Reader("safetensors", ModelFormatException.class, Safetensors::read),
                new Reader("checked safetensors", ModelFormatException.class, Safetensors::readChecked),
                new Reader("model", ModelFormatException.class, Model::load),
                new Reader("checkpoint", ModelFormatException.class, Checkpoint::load),
                new Reader("idx", MalformedDataException.class, f -> Idx.read(f, f, 10)),
                new Reader("csv", MalformedDataException.class, table::read));
    }

    @BeforeEach
    void write() throws IOException {
        Files.createFile(dir.resolve("empty"));
        Files.createDirectory(dir.resolve("directory"));
        // One transparent pixel.
        Files.write(
                dir.resolve("image.png"),
                Base64.getDecoder()
                        .decode(
                                "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="));
        Files.write(dir.resolve("text"), "Dear reader,\nthis is no data.\n".getBytes(StandardCharsets.UTF_8));
        Files.write(dir.resolve("zeros"), new byte[100]);
        byte[] ones = new byte[100];
        Arrays.fill(ones, (byte) -1);
        Files.write(dir.resolve("ones"), ones);
        byte[] random = new byte[1000];
        new java.util.Random(1).nextBytes(random);
        Files.write(dir.resolve("random"), random);

        Path whole = dir.resolve("whole");
        Layers.sequential(Layers.linear(3)).model(Shape.of(2), 1).save(whole);
        byte[] bytes = Files.readAllBytes(whole);
        Files.write(dir.resolve("truncated"), Arrays.copyOf(bytes, bytes.length - 1));
        Files.write(dir.resolve("bare"), Arrays.copyOf(bytes, 8));
        Safetensors.write(dir.resolve("plain"), Map.of("a", Tensor.of(Shape.of(1), 1f)), Map.of());
    }

    /** Tensors without a model in them are safetensors all the same. */
    private static boolean right(Reader reader, String file) {
        return file.equals("plain") && reader.name.endsWith("safetensors");
    }

    @ParameterizedTest
    @MethodSource("readers")
    void everyFalseFileIsNamed(Reader reader) throws IOException {
        for (String name : FALSE) {
            Path file = dir.resolve(name);
            if (right(reader, name)) {
                assertNotNull(reader.read.from(file));
                continue;
            }
            IOException e = assertThrows(reader.error, () -> reader.read.from(file), name);
            String message = String.valueOf(e.getMessage());
            assertTrue(
                    message.contains(file.toString())
                            && message.length() > file.toString().length() + 10,
                    message);
        }
    }

    @ParameterizedTest
    @MethodSource("readers")
    void aMissingFileIsNamed(Reader reader) {
        Path file = dir.resolve("missing");
        IOException e = assertThrows(NoSuchFileException.class, () -> reader.read.from(file));
        assertTrue(String.valueOf(e.getMessage()).contains(file.toString()), e.getMessage());
    }

    @Test
    void aCheckpointIsAModelButNoModelIsACheckpoint() throws IOException {
        Path whole = dir.resolve("whole");
        assertNotNull(Model.load(whole));
        ModelFormatException e = assertThrows(ModelFormatException.class, () -> Checkpoint.load(whole));
        assertTrue(String.valueOf(e.getMessage()).contains("no checkpoint"), e.getMessage());
    }
}
