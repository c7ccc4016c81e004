"""What calls of models cost: the product's pipeline beside a gateway, on the same simulated provider."""
