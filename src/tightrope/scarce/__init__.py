"""Few examples: does making more of them help, how much of it, and does it give the examples away?"""
