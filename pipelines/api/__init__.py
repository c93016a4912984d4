"""What a person asks from Python: `import emberline as em` hands on the names of this folder."""
