"""What tests of plugins and of kconnect itself use."""
