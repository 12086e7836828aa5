"""Where both markets take orders, match them and pay: values in, entries out."""
