"""HTTP routes beside Streamlit: labels, clipper, audio, sign-in."""
