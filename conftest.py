"""What tests of the core and of every plugin share: real services, and what happens where one is missing."""

pytest_plugins = ["services.requirements", "services.fixtures"]
