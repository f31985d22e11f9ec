"""Networks trained with several seeds each, scored on the cases of Tables I and II."""
