"""What a guest gets beside the Python package, put into its tree where no other package does so."""
