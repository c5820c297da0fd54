package dev.hadal.train;

import dev.hadal.model.Model;
import dev.hadal.model.ModelFormatException;
import dev.hadal.model.Safetensors;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where a run stood: all that it takes to go on as if it had never stopped. The file is that of the model, whose tensors
 * come first, with the optimizer's behind them; so it can be loaded as a model, too.
 */
public final class Checkpoint {
    private static final String KEY = "checkpoint/";
    private static final String FORMAT = "1";

    private final Safetensors.Content model;
    private final Map<String, Tensor> tensors;
    private final Map<String, String> facts;

    /**
     * A checkpoint of these values.
     *
     * @param tensors every value of the run, the model's among them
     * @param facts every number of the run, by name
     */
    Checkpoint(Model model, Map<String, Tensor> tensors, Map<String, String> facts) {
        this(model.content(), tensors, facts);
    }

    private Checkpoint(Safetensors.Content model, Map<String, Tensor> tensors, Map<String, String> facts) {
        this.model = model;
        this.tensors = new LinkedHashMap<>(tensors);
        this.facts = new LinkedHashMap<>(facts);
    }

    Map<String, Tensor> tensors() {
        return tensors;
    }

    /** A number of the run, as text. */
    String fact(String name) {
        String value = facts.get(name);
        if (value == null) {
            throw new IllegalArgumentException("the checkpoint has no '" + name + "', only " + facts.keySet());
        }
        return value;
    }

    Map<String, String> facts() {
        return facts;
    }

    /** The same with more of each. */
    Checkpoint with(Map<String, Tensor> moreTensors, Map<String, String> moreFacts) {
        Checkpoint more = new Checkpoint(model, tensors, facts);
        more.tensors.putAll(moreTensors);
        more.facts.putAll(moreFacts);
        return more;
    }

    /** How many steps had been taken. */
    public long step() {
        return Long.parseLong(fact(Trainer.STEP));
    }

    void save(Path file) throws IOException {
        Map<String, String> metadata = new LinkedHashMap<>(model.metadata());
        metadata.put(KEY + "format", FORMAT);
        facts.forEach((name, value) -> metadata.put(KEY + name, value));
        Safetensors.write(file, tensors, metadata);
    }

    /**
     * Reads a checkpoint.
     *
     * @throws ModelFormatException if the file is none, or is damaged
     */
    public static Checkpoint load(Path file) throws IOException {
        return of(Safetensors.readChecked(file), file.toString());
    }

    /**
     * The checkpoint that a file holds.
     *
     * @param file what messages call it
     */
    static Checkpoint of(Safetensors.Content content, String file) throws ModelFormatException {
        Map<String, String> facts = new LinkedHashMap<>();
        Map<String, String> rest = new LinkedHashMap<>();
        content.metadata().forEach((key, value) -> {
            if (key.startsWith(KEY)) {
                facts.put(key.substring(KEY.length()), value);
            } else {
                rest.put(key, value);
            }
        });
        String format = facts.remove("format");
        if (!FORMAT.equals(format)) {
            throw new ModelFormatException(
                    file + " is no checkpoint that this Hadal reads: its format is " + format + ", not " + FORMAT);
        }
        return new Checkpoint(new Safetensors.Content(content.tensors(), rest), content.tensors(), facts);
    }

    /**
     * The model as it was.
     *
     * @throws ModelFormatException if this version does not know one of its ops
     */
    public Model model() throws ModelFormatException {
        return Model.of(model);
    }
}
