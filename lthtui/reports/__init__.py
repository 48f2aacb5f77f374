"""Reports: what runs came to, as tables, figures and one page that a reviewer can check."""
