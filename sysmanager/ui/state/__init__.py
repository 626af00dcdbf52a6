"""What the interface shows and allows, without Qt: state, reducer, store, selectors, conditions, texts."""
