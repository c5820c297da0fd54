package dev.hadal.run;

import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * A call that waits for a worker.
 *
 * @param <T> the answer
 */
final class Call<T> {
    final Map<String, Tensor> batch;
    /** How many samples. */
    final int n;
    /** When it came, as {@link System#nanoTime} tells. */
    final long since = System.nanoTime();

    final CompletableFuture<T> future = new CompletableFuture<>();
    private final Function<Map<String, Tensor>, T> answer;

    /**
     * A call.
     *
     * @param answer what is given to the caller of the network's outputs
     */
    Call(Iterable<String> inputs, Map<String, Tensor> batch, int n, Function<Map<String, Tensor>, T> answer) {
        this.batch = new LinkedHashMap<>();
        inputs.forEach(name -> this.batch.put(name, Objects.requireNonNull(batch.get(name))));
        this.n = n;
        this.answer = answer;
    }

    /** False if the caller no longer waits. */
    boolean complete(Map<String, Tensor> outputs) {
        return future.complete(answer.apply(outputs));
    }
}
