"""Training and measuring of the sentiment classifier and the aspects (docs/sentiment-model.md)."""
