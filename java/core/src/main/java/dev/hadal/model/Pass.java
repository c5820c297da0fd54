package dev.hadal.model;

/** A rewrite of a model: a pure function, whose effect can be printed before and after. */
public interface Pass {
    Model apply(Model model);
}
