"""Ad platforms as their documents describe them: what they refuse, how late they are, and what they forget to say."""
