"""Language models: a net over symbols whose head is a softmax over all of them, and the noise that trains it well."""
