"""The DiracGAN twice: played by Tightrope (`games`) and written out by hand (`closed`, `steps`); and its picture."""
